"""The web service, and the handler that Lambda calls."""

from __future__ import annotations

from fastapi import FastAPI
from mangum import Mangum

from orders.prices import Order, total

app = FastAPI()


@app.post("/price")
def price(order: Order) -> dict[str, int]:
    """What an order would cost."""
    return {"cents": total(order.lines)}


handler = Mangum(app, lifespan="off")
