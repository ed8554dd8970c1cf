"""Settings of the notebook server in a sandbox. Its only way in is the sandbox's own loopback, which the port door alone reaches from outside.

Everything in a sandbox runs as one user, so a password here would keep out nobody who is in already: who may come in is decided at the door.
"""

import os

HERE = os.path.dirname(os.path.abspath(__file__))

c = get_config()  # noqa: F821

c.ServerApp.ip = "127.0.0.1"
c.ServerApp.port = 8888
c.ServerApp.port_retries = 0
c.ServerApp.open_browser = False
c.ServerApp.allow_root = True
c.ServerApp.root_dir = "/workspace"
c.ServerApp.terminals_enabled = True
c.IdentityProvider.token = ""
c.PasswordIdentityProvider.hashed_password = ""
# The browser's Host is the name of the sandbox's own origin; the door has checked it, and Origin with it.
c.ServerApp.allow_remote_access = True
c.ServerApp.quit_button = False

# Kernels end with the sandbox, and with nothing else.
c.MappingKernelManager.cull_idle_timeout = 0
c.FileContentsManager.delete_to_trash = False

# Nothing outside is asked for: no news, no updates, no catalogue of extensions.
c.LabApp.check_for_updates_class = "jupyterlab.NeverCheckForUpdate"
c.LabApp.news_url = None
c.LabApp.app_settings_dir = os.path.join(HERE, "settings")
c.LabApp.extension_manager = "readonly"
c.LabApp.extra_labextensions_path = [os.path.join(HERE, "labextensions")]

# Where the packages for it are there, cells run on the server: a document stays open without a browser, and takes what its cells print.
c.YDocExtension.document_cleanup_delay = None
c.SQLiteYStore.db_path = "/tmp/fumehood-documents.db"
c.BaseFileIdManager.db_path = "/tmp/fumehood-file-ids.db"
