"""What is claimed about speed, as programs that run it beside a peer or a floor."""
