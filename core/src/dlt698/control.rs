//! The control field C (控制域).

/// The control field C (控制域) of a frame.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct Control(pub u8);

impl Control {
    /// Link management (链路管理): LINK APDUs.
    pub const LINK: u8 = 1;
    /// User data (用户数据): all other APDUs.
    pub const USER: u8 = 3;
    const DIR: u8 = 0x80;
    const PRM: u8 = 0x40;
    const FRAGMENT: u8 = 0x20;
    const SCRAMBLED: u8 = 0x08;

    /// A client's request.
    pub const REQUEST: Self = Self(Self::PRM | Self::USER);
    /// A server's reply to a client's request.
    pub const REPLY: Self = Self(Self::DIR | Self::PRM | Self::USER);
    /// A server's report.
    pub const REPORT: Self = Self(Self::DIR | Self::USER);
    /// A server's login, heartbeat or logout.
    pub const LINK_REQUEST: Self = Self(Self::DIR | Self::LINK);
    /// A client's answer to that.
    pub const LINK_RESPONSE: Self = Self(Self::LINK);

    /// DIR (传输方向): sent by the server, which is the meter or terminal.
    #[must_use]
    pub fn from_server(self) -> bool {
        self.0 & Self::DIR != 0
    }

    /// PRM (启动标志): the exchange was begun by the client.
    #[must_use]
    pub fn client_initiated(self) -> bool {
        self.0 & Self::PRM != 0
    }

    /// The user data is a link fragment (分帧).
    #[must_use]
    pub fn fragment(self) -> bool {
        self.0 & Self::FRAGMENT != 0
    }

    /// SC (扰码): the user data has 33H added to each byte on the line.
    #[must_use]
    pub fn scrambled(self) -> bool {
        self.0 & Self::SCRAMBLED != 0
    }

    /// The function code (功能码), bits 0 to 2.
    #[must_use]
    pub fn function(self) -> u8 {
        self.0 & 0x07
    }

    /// The same with or without the fragment bit.
    #[must_use]
    pub fn with_fragment(self, set: bool) -> Self {
        self.with(Self::FRAGMENT, set)
    }

    /// The same with or without scrambling.
    #[must_use]
    pub fn with_scrambling(self, set: bool) -> Self {
        self.with(Self::SCRAMBLED, set)
    }

    /// The same seen from the other side: DIR turned round and PRM set.
    ///
    /// PRM is set because the one confirmation known from a line (63H for a fragment of A3H) has it set.
    #[must_use]
    pub fn confirming(self) -> Self {
        Self(self.0 ^ Self::DIR | Self::PRM).with(Self::SCRAMBLED, false)
    }

    fn with(self, bit: u8, set: bool) -> Self {
        Self(if set { self.0 | bit } else { self.0 & !bit })
    }
}
