"""The front door: ASGI, routes, the access log, the control socket."""
