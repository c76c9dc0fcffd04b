"""The phone as the studio sees it: the bridge process, what it tells, what is sent to phones."""
