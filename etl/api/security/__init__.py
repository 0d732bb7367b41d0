"""Who may use the page: users, sessions, and what is asked of every request before a route sees it."""
