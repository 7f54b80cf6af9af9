"""What the relay says about itself: log lines, with secrets taken out."""
