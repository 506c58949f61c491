"""The HTTP cache: freshness, flights, views and the engine that obeys the plan."""
