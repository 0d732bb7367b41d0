from tests.unit.config.conftest import Folder, folder

__all__ = ["Folder", "folder"]
