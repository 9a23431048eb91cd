"""The body-based routers of Gateways: what of them exists, how their steps are executed, and whether there are any to manage."""
