"""Answers requests: a small FastAPI application behind API Gateway or a function URL."""

from fastapi import FastAPI
from mangum import Mangum
from pydantic import BaseModel


class Order(BaseModel):
    """What a customer sends."""

    item: str
    count: int = 1


app = FastAPI(title="orders")


@app.get("/health")
def health() -> dict[str, bool]:
    """Whether it is there."""
    return {"ok": True}


@app.post("/orders")
def order(wanted: Order) -> dict[str, object]:
    """Takes an order."""
    return {"item": wanted.item, "count": wanted.count}


handler = Mangum(app, lifespan="off")
