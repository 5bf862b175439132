//! CRC-16/X-25, the check of frame header (HCS 帧头校验) and frame (FCS 帧校验).

const TABLE: [u16; 256] = table();

const fn table() -> [u16; 256] {
    let mut table = [0; 256];
    let mut byte = 0;
    while byte < 256 {
        let mut value = byte;
        let mut bit = 0;
        while bit < 8 {
            value = if value & 1 == 1 {
                value >> 1 ^ 0x8408
            } else {
                value >> 1
            };
            bit += 1;
        }
        #[allow(
            clippy::indexing_slicing,
            reason = "byte is below 256, checked at compile time"
        )]
        {
            table[byte as usize] = value;
        }
        byte += 1;
    }
    table
}

/// The check value of the bytes: reflected polynomial 8408H, start and final xor FFFFH.
#[must_use]
pub fn crc16(bytes: &[u8]) -> u16 {
    let value = bytes.iter().fold(0xffff, |value: u16, byte| {
        let index = usize::from((value ^ u16::from(*byte)) & 0xff);
        value >> 8 ^ TABLE.get(index).copied().unwrap_or_default()
    });
    !value
}
