from tests.kit.home import home

__all__ = ["home"]
