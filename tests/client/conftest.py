from tests.kit.home import home, running

__all__ = ["home", "running"]
