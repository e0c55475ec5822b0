set(libraries flotilla_saga) # leads its orders through
