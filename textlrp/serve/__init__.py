"""The HTTP service of ``textlrp serve``: a JSON API for explanations and predictions, and the live page.

:mod:`.server_run` starts it, :mod:`.service_app` assembles the application, and :mod:`.api_routes` has the routes.
The packages of the extra ``serve`` are needed (FastAPI, uvicorn, orjson and prometheus-client).
"""
