"""A plugin package, as a third party would write one."""
