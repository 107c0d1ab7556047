print("lstmpack")
