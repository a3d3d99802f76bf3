//! Manual pages and completions say what the binary takes.

use std::{fs, process::Command};

use anyhow::Result;

use crate::SYNOD;

#[test]
fn pages_and_completions_name_every_command_and_no_hidden_one() -> Result<()> {
    let dir = tempfile::tempdir()?;
    let folder = dir.path().join("made");
    let status = Command::new(SYNOD).arg("pages").arg(&folder).status()?;
    assert!(status.success(), "{status}");
    let page = fs::read_to_string(folder.join("synod.1"))?;
    for command in ["setup", "run", "check", "alive", "unfreeze", "store", "audit", "exec"] {
        let own = fs::read_to_string(folder.join(format!("synod-{command}.1")))?;
        assert!(own.contains(".SH SYNOPSIS"), "{own}");
        assert!(page.contains(&format!("synod\\-{command}(1)")), "{page}");
        for shell in ["synod.bash", "synod.fish", "_synod"] {
            let completed = fs::read_to_string(folder.join(shell))?;
            assert!(completed.contains(command), "{shell} does not know {command}");
            let hidden = ["synod,pages)", "Write manual pages"];
            assert!(
                !hidden.iter().any(|one| completed.contains(one)),
                "{shell} shows what is hidden"
            );
        }
    }
    // And every command of the room.
    let exec = fs::read_to_string(folder.join("synod-exec.1"))?;
    assert!(exec.contains("Exit codes"), "{exec}");
    assert!(folder.join("synod-exec-user-deactivate.1").exists());
    for shell in ["synod.bash", "synod.fish", "_synod"] {
        assert!(fs::read_to_string(folder.join(shell))?.contains("deactivate-regex"), "{shell}");
    }
    assert!(fs::read_to_string(folder.join("synod-audit-verify.1"))?.contains("\\-\\-head"));
    assert!(!folder.join("synod-pages.1").exists());

    let file = dir.path().join("file");
    fs::write(&file, "")?;
    let refused = Command::new(SYNOD).arg("pages").arg(&file).output()?;
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("cannot be written"));
    Ok(())
}
