//! The fenced blocks of a page. One that is not played says why, in a comment on the line before it.

use anyhow::{Result, ensure};

/// Begins such a comment.
const NOT_PLAYED: &str = "<!-- not played";

/// One block.
#[derive(Debug)]
pub(super) struct Block {
    /// Of its first line, counted from 1.
    pub(super) line: usize,
    text: String,
    skipped: bool,
}

impl Block {
    /// What a shell is given; `None`: it is only shown.
    pub(super) fn played(&self) -> Option<&str> {
        (!self.skipped).then_some(self.text.as_str())
    }
}

/// All of them, in their order.
pub(super) fn of(page: &str) -> Result<Vec<Block>> {
    let mut blocks = Vec::new();
    let mut open: Option<Block> = None;
    let mut before = "";
    for (number, line) in (1..).zip(page.lines()) {
        match (line.strip_prefix("```"), &mut open) {
            (Some(language), None) => {
                let skipped = before.starts_with(NOT_PLAYED);
                ensure!(!skipped || before.len() > NOT_PLAYED.len() + ": -->".len(), "line {number}: why not?");
                ensure!(
                    skipped || language == "shell",
                    "line {number}: {language:?} can be no command; say why it is shown"
                );
                open = Some(Block { line: number + 1, text: String::new(), skipped });
            }
            (Some(_), Some(_)) => blocks.extend(open.take()),
            (None, Some(block)) => {
                block.text += line;
                block.text.push('\n');
            }
            (None, None) => {}
        }
        before = line;
    }
    ensure!(open.is_none(), "the last block has no end");
    ensure!(blocks.iter().filter(|block| !block.skipped).count() >= 6, "most of the page is played: {blocks:#?}");
    Ok(blocks)
}
