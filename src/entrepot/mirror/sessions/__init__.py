"""What builds were served: told as bills of materials, and served again."""
