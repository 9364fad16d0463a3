"""The landing page's parts: what is known as HTML. Whatever came from outside is escaped."""
