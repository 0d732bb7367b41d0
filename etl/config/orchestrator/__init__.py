"""Jobs, schedules and channels as conf/ has them."""
