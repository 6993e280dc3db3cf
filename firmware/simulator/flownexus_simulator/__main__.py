from flownexus_simulator.cli import app

app()
