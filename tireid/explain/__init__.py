"""Why a picture was found, how sure an answer is, and what to ask next."""
