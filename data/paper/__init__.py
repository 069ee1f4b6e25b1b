"""The paper: `comparison` sets its printed scores beside ours, `downloads` fetches its photos and videos."""
