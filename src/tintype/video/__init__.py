"""Film: decoded, coloured and encoded, frame after frame."""
