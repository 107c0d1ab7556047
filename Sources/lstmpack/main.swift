import LSTMPackCLI

LSTMPackCommand.execute()
