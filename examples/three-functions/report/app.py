"""Renders orders as a page, from a template."""

from jinja2 import Environment
from pydantic import BaseModel
from tabulate import tabulate

PAGE = Environment(autoescape=True).from_string("<h1>{{ title }}</h1>\n<pre>{{ table }}</pre>\n")


class Row(BaseModel):
    """An order in the report."""

    item: str
    count: int


def handler(event, context):
    """``{"title": "May", "orders": [{"item": "tea", "count": 2}]}`` becomes ``{"page": "<h1>…"}``."""
    rows = [Row.model_validate(one).model_dump() for one in event["orders"]]
    return {"page": PAGE.render(title=event["title"], table=tabulate(rows, headers="keys"))}
