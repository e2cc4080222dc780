"""How networks are trained: recipes, pictures, losses, the loop. Needs the extra [train]."""
