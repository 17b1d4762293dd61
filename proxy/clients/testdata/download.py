"""Downloads a URL with Python's standard library.

It trusts what SSL_CERT_FILE names and is as strict as Python 3.13 is by
default. Usage: download.py URL FILE [TOKEN]
"""

import ssl
import sys
import urllib.error
import urllib.request

url, path, token = (sys.argv + [""])[1:4]
context = ssl.create_default_context()
context.verify_flags |= ssl.VERIFY_X509_STRICT | getattr(ssl, "VERIFY_X509_PARTIAL_CHAIN", 0)
request = urllib.request.Request(url)
if token:
    request.add_header("Authorization", "Bearer " + token)
try:
    with urllib.request.urlopen(request, context=context) as response, open(path, "wb") as out:
        while piece := response.read(1 << 20):
            out.write(piece)
except urllib.error.HTTPError as e:
    sys.exit(f"{e}\n{e.headers['X-Error-Message']}\n{e.read().decode()}")
