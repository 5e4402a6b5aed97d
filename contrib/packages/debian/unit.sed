# Makes the unit of the Debian package from contrib/vestibule.service: it has a user that commands can be run as, and its
# settings are in a file that commands read as well.
1,/^$/c\
# The server of the package vestibule. Its settings are in /etc/vestibule/settings; what else is to differ goes into a\
# drop-in: systemctl edit vestibule.\

/^Description=/a\
Documentation=man:vestibule(1)
s|^ExecStart=/usr/local/bin/|ExecStart=/usr/bin/|
/^ExecStart=/i\
EnvironmentFile=/etc/vestibule/settings\
ExecStartPre=/usr/bin/vestibule check --before-start
# What the settings file has.
/^Environment=VESTIBULE_ORIGIN/,/^#Environment=VESTIBULE_SEAL_KEY_FILE/d
s/^DynamicUser=yes/User=vestibule/
