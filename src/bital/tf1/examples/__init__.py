"""What programs of the tutorials import."""
