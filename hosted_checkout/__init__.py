"""The doors: REST API, checkout pages and the command line; with the widget the only place that knows Flask."""
