"""The apprentice behind the OpenAI protocol: a server on loopback, in this process or in one of its own."""
