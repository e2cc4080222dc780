"""How good colours are: metrics, and the bench that reports them."""
