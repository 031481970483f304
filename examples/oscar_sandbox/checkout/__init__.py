"""Oscar's checkout app, with our view in the place of its own."""
