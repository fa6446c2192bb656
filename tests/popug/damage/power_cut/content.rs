//! The bytes of a file in blocks, which copies of it share, with a digest that follows each write.

use std::sync::Arc;

use sha2::{Digest, Sha256};

/// Parts of a write reach the disk one by one.
const BLOCK_BYTES: usize = 4096;

#[derive(Clone, Debug)]
struct Block {
    bytes: Arc<[u8]>,
    /// Of the bytes and their place.
    digest: u64,
}

impl Block {
    fn of(index: usize, bytes: &[u8]) -> Block {
        Block {
            bytes: bytes.into(),
            digest: digest(index, bytes),
        }
    }
}

/// The same for the same bytes at the same place.
pub fn digest(place: usize, bytes: &[u8]) -> u64 {
    let digest = Sha256::new()
        .chain_update((place as u64).to_le_bytes())
        .chain_update(bytes)
        .finalize();
    u64::from_le_bytes(digest[..8].try_into().expect("eight bytes"))
}

/// The part of a write that changes one block.
#[derive(Debug)]
pub struct Piece {
    index: usize,
    /// Where the bytes begin in the block.
    at: usize,
    block: Block,
}

/// The pieces of a write at an offset of a file.
pub fn pieces(at: usize, bytes: &[u8]) -> Vec<Piece> {
    let (mut at, mut rest, mut pieces) = (at, bytes, Vec::new());
    while !rest.is_empty() {
        let index = at / BLOCK_BYTES;
        let length = rest.len().min(BLOCK_BYTES - at % BLOCK_BYTES);
        let (bytes, behind) = rest.split_at(length);
        let (at_block, block) = (at % BLOCK_BYTES, Block::of(index, bytes));
        pieces.push(Piece {
            index,
            at: at_block,
            block,
        });
        (at, rest) = (at + length, behind);
    }
    pieces
}

/// Every block but the last one is full.
#[derive(Clone, Debug, Default)]
pub struct Content {
    blocks: Vec<Block>,
    /// The wrapped sum of the digests of the blocks.
    digest: u64,
}

impl Content {
    pub const fn empty() -> Content {
        Content {
            blocks: Vec::new(),
            digest: 0,
        }
    }

    pub fn of(bytes: &[u8]) -> Content {
        let mut content = Content::default();
        pieces(0, bytes)
            .iter()
            .for_each(|piece| content.write(piece));
        content
    }

    pub fn length(&self) -> u64 {
        let last = self.blocks.last().map_or(0, |last| last.bytes.len());
        (self.blocks.len().saturating_sub(1) * BLOCK_BYTES + last) as u64
    }

    pub fn bytes(&self) -> Vec<u8> {
        let blocks: Vec<&[u8]> = self.blocks.iter().map(|block| &*block.bytes).collect();
        blocks.concat()
    }

    /// Two contents with one digest are taken for the same.
    pub fn digest(&self) -> u64 {
        self.digest
    }

    pub fn write(&mut self, piece: &Piece) {
        let (start, end) = (piece.at, piece.at + piece.block.bytes.len());
        if self.blocks.len() <= piece.index {
            self.resize(piece.index * BLOCK_BYTES);
            self.push_empty();
        }
        let present = self.blocks[piece.index].bytes.len();
        if start == 0 && present <= end {
            return self.replace(piece.index, piece.block.clone());
        }
        let behind = vec![0; end.saturating_sub(present)];
        let mut bytes = [&self.blocks[piece.index].bytes[..], &behind].concat();
        bytes[start..end].copy_from_slice(&piece.block.bytes);
        self.replace(piece.index, Block::of(piece.index, &bytes));
    }

    fn replace(&mut self, index: usize, block: Block) {
        let digest = self.digest.wrapping_sub(self.blocks[index].digest);
        self.digest = digest.wrapping_add(block.digest);
        self.blocks[index] = block;
    }

    fn push_empty(&mut self) {
        let block = Block::of(self.blocks.len(), &[]);
        self.digest = self.digest.wrapping_add(block.digest);
        self.blocks.push(block);
    }

    /// Cuts the file, or fills it with zeros.
    pub fn resize(&mut self, length: usize) {
        let count = length.div_ceil(BLOCK_BYTES);
        while self.blocks.len() > count {
            let cut = self.blocks.pop().expect("it is longer");
            self.digest = self.digest.wrapping_sub(cut.digest);
        }
        for index in self.blocks.len().saturating_sub(1)..count {
            if index == self.blocks.len() {
                self.push_empty();
            }
            let wanted = BLOCK_BYTES.min(length - index * BLOCK_BYTES);
            let bytes = &self.blocks[index].bytes;
            if bytes.len() != wanted {
                let kept = &bytes[..bytes.len().min(wanted)];
                let bytes = [kept, &vec![0; wanted - kept.len()]].concat();
                self.replace(index, Block::of(index, &bytes));
            }
        }
    }
}

impl PartialEq for Content {
    fn eq(&self, other: &Content) -> bool {
        self.bytes() == other.bytes()
    }
}
