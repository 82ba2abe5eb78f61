//! Small folders of fail2ban's configuration, and what is made of them.
