"""Files on a device under the sha256 of their bytes: what is there whole is not sent again, half a file never counts.

A name and a size do not tell two networks of one architecture apart; their bytes do.
"""

from __future__ import annotations

import hashlib
import json
import pathlib
import re

from hwkeras.errors import UserError

# Shell functions that the scripts below share. `sha256sum` is looked for under the names it has on Linux, Android and
# macOS; where there is none, the size has to do.
_FUNCTIONS = """
digest_of() {
  if command -v sha256sum >/dev/null 2>&1; then sha256sum < "$1"
  elif command -v shasum >/dev/null 2>&1; then shasum -a 256 < "$1"
  else echo unknown; fi
}
is_whole() {
  [ -f "$1" ] && [ "$(wc -c < "$1")" -eq "$2" ] || return 1
  found=$(digest_of "$1") || return 1
  found=${found%% *}
  [ "$found" = unknown ] || [ "$found" = "$3" ]
}
all_whole() {
  where=$1; shift
  while [ $# -gt 0 ]; do is_whole "$where$1" "$2" "$3" || return 1; shift 3; done
}
"""

# Arguments of both: where a file's parts are (`""` for a file, the folder and `/` for a folder), then for each file
# its path, its size and its digest. `FIND` exits with 0 where all is there, and notes that it is still in use.
FIND_FILE = _FUNCTIONS + 'all_whole "" "$@" || exit 1; touch -a "$1" 2>/dev/null; exit 0'
FIND_FOLDER = _FUNCTIONS + 'folder=$1; shift; all_whole "$folder/" "$@" || exit 1; touch "$folder" 2>/dev/null; exit 0'

# Arguments: the temporary path, the final one, size, digest. Exits with 3 where something else arrived than was sent.
KEEP_FILE = _FUNCTIONS + 'is_whole "$1" "$3" "$4" && mv -f "$1" "$2" && exit 0; rm -f "$1"; exit 3'

# Arguments: the temporary folder, the final one, then path, size, digest of each file. `mv` onto a folder that another
# client has just put there moves ours into it: that one is taken out again.
KEEP_FOLDER = (
    _FUNCTIONS
    + """
from=$1; to=$2; shift 2
all_whole "$from/" "$@" || { rm -rf "$from"; exit 3; }
if [ -e "$to" ]; then
  if all_whole "$to/" "$@"; then rm -rf "$from"; exit 0; fi
  rm -rf "$to"
fi
mv "$from" "$to" || { rm -rf "$from"; exit 3; }
rm -rf "$to/${from##*/}"
all_whole "$to/" "$@"
"""
)

_DIGEST, _TOKEN = "[0-9a-f]" * 64, "[0-9a-f]" * 16
# Files that a device's folder `files` holds: stored ones, and those on their way. Nothing else is ever removed there.
OWN_FILE = re.compile(rf"\.?{_DIGEST}(\.\w+)*|put-{_TOKEN}")

# Argument: the device's folder. What nobody asked for in a day is removed, and what interrupted transfers left.
MAKE_ROOM = f"""
mkdir -p "$1/files" "$1/folders" "$1/run" || exit 1
remove() {{
  find "$where" -maxdepth 1 -type "$1" \\( -name "$2" -o -name "put-{_TOKEN}" \\) "$3" "$4" "$5" "$6" \\
    -exec rm -rf {{}} + 2>/dev/null
}}
where=$1/files; remove f "{_DIGEST}*" -atime +0 -mtime +0
where=$1/run; remove f "{_TOKEN}*" -atime +0 -mtime +0
where=$1/folders; remove d "{_DIGEST}" -mtime +30 -mtime +30
exit 0
"""


def digest_of(content):
    """The name of bytes.

    Args:
        content: bytes.

    Returns:
        str, the sha256 as 64 hex digits.
    """
    return hashlib.sha256(content).hexdigest()


def file_path(folder, content, suffix=""):
    """Where a file is stored.

    Args:
        folder: str, the device's folder.
        content: bytes.
        suffix: str, such as `".tflite"`. Defaults to `""`.

    Returns:
        str, path on the device.

    Raises:
        UserError: a suffix that is not one.
    """
    if not re.fullmatch(r"(\.[A-Za-z0-9_]+)*", suffix):
        raise UserError(
            "`suffix` is empty or a dot with letters, digits and underscores. "
            f"Received: suffix={suffix!r}. Write, for example, '.tflite'."
        )
    return f"{folder}/files/{digest_of(content)}{suffix}"


def folder_path(folder, files):
    """Where a folder is stored.

    Args:
        folder: str, the device's folder.
        files: mapping of relative path to bytes.

    Returns:
        str, path on the device.

    Raises:
        UserError: no files, or a path that leads out of the folder.
    """
    if not files:
        raise UserError("`files` must hold at least one file. Received: files={}.")
    for name in files:
        path = pathlib.PurePosixPath(name)
        is_inside = path.parts and not path.is_absolute() and ".." not in path.parts
        if not is_inside or str(path) != name or re.search(r"[\0\r\n\\]", name):
            raise UserError(
                "A path in `files` is relative, in its shortest form, and stays inside the folder. "
                f"Received: {name!r}. Write, for example, 'folder/file.py'."
            )
    contents = [(name, digest_of(files[name])) for name in sorted(files)]
    return f"{folder}/folders/{digest_of(json.dumps(contents).encode())}"


def manifest(files):
    """What the scripts above compare a folder with.

    Args:
        files: mapping of relative path to bytes.

    Returns:
        list of str: path, size and digest of each file, one after the other.
    """
    return [field for name in sorted(files) for field in (name, str(len(files[name])), digest_of(files[name]))]
