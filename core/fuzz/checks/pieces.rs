//! Cuts octets into pieces as the first of them says.

/// The pieces of the octets: how long each one is follows from `choice` alone.
pub fn cut(octets: &[u8], choice: u8) -> Vec<&[u8]> {
    let mut state = u32::from(choice).wrapping_mul(0x9e37_79b1) | 1;
    let mut rest = octets;
    let mut pieces = Vec::new();
    while !rest.is_empty() {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        // A third of the pieces is single octets, the others are up to 32 long.
        let length = if state >> 24 < 85 {
            1
        } else {
            (state >> 16) as usize % 32 + 1
        };
        let (piece, behind) = rest.split_at(length.min(rest.len()));
        pieces.push(piece);
        rest = behind;
    }
    pieces
}
