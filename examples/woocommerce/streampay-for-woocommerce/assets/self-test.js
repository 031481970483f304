// The button on the settings page: asks this shop to test its settings, and lists what it found as plain text.
( function () {
	'use strict';
	var button = document.getElementById( 'streampay-self-test' );
	var found = document.getElementById( 'streampay-self-test-found' );
	if ( ! button || ! found ) {
		return;
	}
	var marks = { ok: '\u2713 ', warn: '! ', fail: '\u2717 ' };

	function show( result, text ) {
		var line = document.createElement( 'li' );
		line.textContent = ( marks[ result ] || '' ) + text;
		found.appendChild( line );
	}

	button.addEventListener( 'click', function () {
		var form = new FormData();
		form.append( 'action', button.dataset.action );
		form.append( '_ajax_nonce', button.dataset.nonce );
		button.disabled = true;
		found.textContent = '';
		fetch( button.dataset.url, { method: 'POST', body: form, credentials: 'same-origin' } )
			.then( function ( answer ) {
				return answer.json();
			} )
			.then( function ( answer ) {
				if ( ! answer || ! answer.success ) {
					throw new Error( 'refused' );
				}
				answer.data.forEach( function ( check ) {
					show( check.result, check.text );
				} );
			} )
			.catch( function () {
				show( 'fail', 'This shop did not answer. Reload the page and try again.' );
			} )
			.then( function () {
				button.disabled = false;
			} );
	} );
} )();
