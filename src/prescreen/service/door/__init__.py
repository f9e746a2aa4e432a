"""Who may come in and how: sign-in, sessions on the wire, roles, programs. Knows no chart."""
