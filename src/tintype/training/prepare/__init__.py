"""How data sets on disk become shards for training, sorted out, split, and with a data card."""
