"""The demo: gateway, shop, dev chain, Test Bank and test exchange in one terminal, and purchases that prove them."""
