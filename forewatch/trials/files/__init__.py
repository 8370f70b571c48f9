"""Series and incidents in files, and what the product makes of them."""
