//! The operations of the Admin API, as the homeserver itself registers them.

use std::process::Command;

use anyhow::{Result, ensure};
use tokio::task::spawn_blocking;

use crate::install::SYNAPSE;

/// Every operation of the Admin API of the Synapse that is installed, as the path below
/// `/_synapse/admin/`, with names in braces for what stands in it, and the method. Where a part may
/// be left out, it is one with it and one without.
pub async fn operations() -> Result<Vec<(String, String)>> {
    let mut command = Command::new(SYNAPSE.python().await?);
    // Alone, so that nothing of this folder is taken for a part of it.
    command.args(["-I", "-c", LIST]);
    let output = spawn_blocking(move || command.output()).await??;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "the operations cannot be listed: {said}");
    let listed = String::from_utf8(output.stdout)?;
    let words = listed.lines().filter_map(|line| line.split_once(' '));
    Ok(words.map(|(method, path)| (path.to_owned(), method.to_owned())).collect())
}

/// Lets a homeserver that does nothing register them, and writes them down. Those under another
/// prefix belong to the API of clients.
const LIST: &str = r"
import re
from unittest.mock import MagicMock
from synapse.rest import admin

PREFIX = '^/_synapse/admin/'
found = set()

def expanded(path):
    found_part = re.search(r'\(([^()]*)\)\?', path)
    if not found_part:
        left = re.search(r'[][()|?*+^$\\]', path)
        assert not left, f'{path} says more than I understand'
        return [path]
    before, after = path[:found_part.start()], path[found_part.end():]
    return expanded(before + after) + expanded(before + found_part[1] + after)

class Server:
    def register_paths(self, method, path_patterns, callback, servlet_classname):
        for pattern in path_patterns:
            if pattern.pattern.startswith(PREFIX):
                path = re.sub(r'\(\?P<(\w+)>[^)]*\)', r'{\1}', pattern.pattern)
                for path in expanded(path.removeprefix(PREFIX).removesuffix(chr(36))):
                    found.add(f'{method} {path}')

homeserver = MagicMock()
homeserver.config.worker.worker_app = None
homeserver.config.mas.enabled = False
homeserver.config.media.can_load_media_repo = True
admin.register_servlets(homeserver, Server())
print('\n'.join(sorted(found)))
";
