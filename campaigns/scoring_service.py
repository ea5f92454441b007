"""A stand-in for an HTTP service: ``python scoring_service.py 8765`` answers POSTs of {"smiles": […]} with numbers."""

from __future__ import annotations

import json
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

from rdkit import Chem
from rdkit.Chem import Crippen


class Service(BaseHTTPRequestHandler):
    """Answers {"values": {SMILES: logP}}."""

    def do_POST(self) -> None:
        """Reads the molecules asked for and writes their values."""
        asked = json.loads(self.rfile.read(int(self.headers["Content-Length"])))["smiles"]
        values = {smiles: Crippen.MolLogP(Chem.MolFromSmiles(smiles)) for smiles in asked}
        body = json.dumps({"values": values}).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)

    def log_message(self, format: str, *args: object) -> None:
        """Says nothing of each request."""


if __name__ == "__main__":
    ThreadingHTTPServer(("127.0.0.1", int(sys.argv[1])), Service).serve_forever()
