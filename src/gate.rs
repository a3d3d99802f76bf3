//! Who may do what to whom: the only maker of a [`Permit`].
