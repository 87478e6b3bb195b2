"""Where a library keeps its entries and its history: in memory beside a JSON file, or in a SQLite database."""

from flex.library.stores.files import Store, is_database, open_store, same_file, save_store
from flex.library.stores.memory import MemoryStore

__all__ = ["MemoryStore", "Store", "is_database", "open_store", "same_file", "save_store"]
