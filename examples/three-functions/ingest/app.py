"""Reads orders that others send as YAML, with dates in whatever form."""

import yaml
from dateutil.parser import parse
from pydantic import BaseModel


class Order(BaseModel):
    """What others send."""

    item: str
    date: str


def handler(event, context):
    """``{"text": "- {item: tea, date: 2 May 2026}"}`` becomes ``{"orders": [{"item": "tea", "date": …}]}``."""
    orders = [Order.model_validate(one) for one in yaml.safe_load(event["text"])]
    return {"orders": [{"item": one.item, "date": parse(one.date).date().isoformat()} for one in orders]}
