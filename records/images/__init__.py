"""Photos: files to bytes, bytes to pixels, and the pictures made of them."""
