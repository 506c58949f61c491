"""Work behind answers, and work that nobody asked a question for."""
